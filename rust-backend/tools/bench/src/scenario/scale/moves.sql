-- Every move of every cursor, as PostgreSQL saw it: from where, to where, by whom.
CREATE TABLE cursor_moves (
    number         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    chain_id       BIGINT NOT NULL,
    from_xid       XID8   NOT NULL,
    from_seq       BIGINT NOT NULL,
    to_xid         XID8   NOT NULL,
    to_seq         BIGINT NOT NULL,
    holder         TEXT   NOT NULL,
    taken_over     BOOLEAN NOT NULL,
    new_generation BOOLEAN NOT NULL,
    entries        BIGINT NOT NULL
);

CREATE FUNCTION note_cursor_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cursor_moves (chain_id, from_xid, from_seq, to_xid, to_seq, holder, taken_over,
                              new_generation, entries)
    VALUES (NEW.chain_id, OLD.xid, OLD.seq, NEW.xid, NEW.seq, NEW.holder,
            NEW.holder IS DISTINCT FROM OLD.holder, NEW.generation > OLD.generation,
            NEW.entries_judged - OLD.entries_judged);
    RETURN NULL;
END
$$;

CREATE TRIGGER note_cursor_move
    AFTER UPDATE ON shard_cursors
    FOR EACH ROW
    EXECUTE FUNCTION note_cursor_move();
