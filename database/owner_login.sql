-- What the superuser of a cluster that is only ours runs once, after the first migration: our
-- processes then log in as the owner, and nothing but this was ever done by a superuser. The
-- password is no secret, as in compose.yaml.
ALTER ROLE agentauri_owner LOGIN PASSWORD 'agentauri';
SELECT give_to_owner();
