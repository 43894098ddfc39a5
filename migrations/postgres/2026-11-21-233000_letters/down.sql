DROP FUNCTION lower_letters(text);
