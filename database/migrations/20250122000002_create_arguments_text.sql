-- The text of an event's arguments for every reader; NULL if it exceeds the limits of `events`. The
-- size of JSONB is no measure of its text: 9,000 numbers `1e131000` are stored in 2.4 kB, and their
-- text exceeds the largest value of PostgreSQL. So the text of all but small values is measured
-- before it is written. The result is a function of the row alone: a busy server, or one short of
-- memory, judges it the same.
--
-- The limits: our own writers' arguments are at most 7 MiB of JSON (1 MiB of a log's data, where
-- each byte may be `\u0001`), with a number or two among them. 8 MiB stored become at most about 50
-- MiB of text, which takes one of the five seconds that an answer may take.
--
-- It runs with its caller's rights, which in an UPDATE of `events` are the writer's.
CREATE OR REPLACE FUNCTION arguments_text(data JSONB) RETURNS TEXT
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- A number of 16 bytes may have 147,460 digits, the most text per byte, so this many bytes
    -- never exceed 16 MiB of text. log_inserted_events() and claim_shards() repeat the number.
    small_max   CONSTANT INTEGER := 1800;
    stored_max  CONSTANT INTEGER := 8388608;
    written_max CONSTANT INTEGER := 16777216;
    numbers_max CONSTANT INTEGER := 100000;
    -- No event nests a thousandfold, and deeper values would be read by recursion.
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
    -- An empty value with `data` appended equals `data`, but uncompressed.
    IF pg_column_size(whole || data) > stored_max OR jsonb_path_exists(data, too_deep) THEN
        RETURN NULL;
    END IF;
    numbers := jsonb_path_query_array(data, 'strict $.** ? (@.type() == "number")');
    IF jsonb_array_length(numbers) > numbers_max THEN
        RETURN NULL;
    END IF;
    -- The digits before the point, three too few at most, and behind it. Bytes 2 and 3 of a
    -- number's binary form are the power of 10,000, bytes 6 and 7 the number of digits behind the
    -- point.
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

-- The check of stored arguments. It raises its own error, because that of a CHECK would write out
-- the failing row.
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
