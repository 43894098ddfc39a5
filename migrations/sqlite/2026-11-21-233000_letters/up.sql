-- Connections to SQLite bring the function lower_letters with them.
SELECT 1;
