-- Gives all that the migrations made to the owner, `_sqlx_migrations` too.
SELECT give_to_owner();
