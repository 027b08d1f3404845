-- Substrings of custom_ids are found by their trigrams, where the extension pg_trgm (part of PostgreSQL's contrib) may be created.

DO $$
DECLARE home text;
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'pg_trgm is not available (%): lists filtered by a part of the custom_id read all trades of their owner', SQLERRM;
    END;
    SELECT n.nspname INTO home FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm';
    IF home IS NOT NULL THEN
        EXECUTE format('CREATE INDEX trade_by_custom_part ON trade USING gin (custom_fold %I.gin_trgm_ops)', home);
    END IF;
END $$;
