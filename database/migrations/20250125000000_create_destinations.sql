-- Destinations: the places that the actions of an account go to. A row is made when a trigger with
-- such an action is applied, and stays when it is removed: jobs and their retractions name it.
CREATE TABLE IF NOT EXISTS destinations (
    -- A function of (account, kind, address).
    id          UUID        PRIMARY KEY,
    account     TEXT        NOT NULL,
    -- The kind of action: a webhook and a mail to one machine are two destinations.
    kind        TEXT        NOT NULL,
    -- The address as the kind has it: of a webhook the URL without its query.
    address     TEXT        NOT NULL,
    -- The form of the address. A URL is shown shortened.
    form        TEXT        NOT NULL CHECK (form IN ('url', 'name')),
    -- The machine or account behind it: a host and its port.
    origin      TEXT        NOT NULL,
    -- For people: the kind and the beginning of the id, or a name that its account gave.
    name        TEXT        NOT NULL,
    -- Since when no job of it is begun, and why. NULL where it is not held.
    held_at     TIMESTAMPTZ,
    held_reason TEXT,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (account, name),
    CONSTRAINT destinations_hold CHECK ((held_at IS NULL) = (held_reason IS NULL))
);
