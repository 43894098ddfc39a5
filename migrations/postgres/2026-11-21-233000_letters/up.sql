-- Lower case of letters of every script, for what people look for. The columns are of collation "C", which knows ASCII
-- letters only; the database's own lowers each character by itself.
CREATE FUNCTION lower_letters(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT lower($1 COLLATE "default") $$;
