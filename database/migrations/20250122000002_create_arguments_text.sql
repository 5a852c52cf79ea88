-- The text of an event's arguments, as everybody reads them; NULL where they are more than
-- `events` takes. JSONB is no measure of its text: 9,000 numbers `1e131000` are stored in 2.4 kB,
-- and written out they are more than a value of PostgreSQL may be. So what is not small is measured
-- before it is written. What comes of a row hangs on nothing but the row: it is judged the same
-- on a busy server, or on one that is short of memory.
--
-- The limits: our own writers' arguments are at most 7 MiB of JSON (1 MiB of a log's data, where
-- each byte may be `\u0001`), a number or two among them. 8 MiB stored are written in some 50 MiB
-- at most, which takes a second of the five that an answer may take.
--
-- It runs with the rights of whoever asks, in an UPDATE of `events` with the writer's.
CREATE OR REPLACE FUNCTION arguments_text(data JSONB) RETURNS TEXT
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The shortest number of the longest text is 16 bytes that are written as 147,460, so this many
    -- bytes are never more than 16 MiB. log_inserted_events() and claim_shards() say the same.
    small_max   CONSTANT INTEGER := 1800;
    stored_max  CONSTANT INTEGER := 8388608;
    written_max CONSTANT INTEGER := 16777216;
    numbers_max CONSTANT INTEGER := 100000;
    -- A thousandfold nesting is no event's, and what is deeper is read by recursion.
    too_deep    CONSTANT JSONPATH := 'strict $.**{1000}';
    whole       CONSTANT JSONB :=
        CASE jsonb_typeof(data) WHEN 'object' THEN '{}'::jsonb ELSE '[]'::jsonb END;
    numbers     JSONB;
    digits      BIGINT;
    written     TEXT;
BEGIN
    IF pg_column_compression(data) IS NULL AND pg_column_size(data) <= small_max THEN
        RETURN data::text;
    END IF;
    -- What something empty is put in front of comes back as it is, and not compressed.
    IF pg_column_size(whole || data) > stored_max OR jsonb_path_exists(data, too_deep) THEN
        RETURN NULL;
    END IF;
    numbers := jsonb_path_query_array(data, 'strict $.** ? (@.type() == "number")');
    IF jsonb_array_length(numbers) > numbers_max THEN
        RETURN NULL;
    END IF;
    -- A number's digits before the point, no more than three too few, and behind it: bytes 2 and 3
    -- of its binary form are the power of 10,000, 6 and 7 how many are behind.
    SELECT sum(greatest(4 * ((get_byte(sent, 2) * 256 + get_byte(sent, 3) + 32768) % 65536 - 32768)
                        + 1, 1) + get_byte(sent, 6) * 256 + get_byte(sent, 7))
    INTO digits
    FROM jsonb_array_elements(numbers) AS each (number)
    CROSS JOIN LATERAL numeric_send(number::numeric) AS binary_form (sent);
    IF digits > written_max THEN
        RETURN NULL;
    END IF;
    written := data::text;
    RETURN CASE WHEN octet_length(written) <= written_max THEN written END;
END
$$;

-- What is asked of what is stored. It refuses by itself, and does not write out what fails.
CREATE OR REPLACE FUNCTION arguments_are_readable(data JSONB) RETURNS BOOLEAN
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.arguments_text(data) IS NULL THEN
        RAISE EXCEPTION 'events: data has more than 16 MiB of text, 8 MiB of values, 100,000 '
                'numbers or 1,000 levels'
            USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'events',
                COLUMN = 'data', CONSTRAINT = 'events_data_length',
                HINT = 'A number may be written longer than it is stored: 1e1000 has 1,001 digits.';
    END IF;
    RETURN true;
END
$$;
