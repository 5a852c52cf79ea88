-- All that the migrations made belongs to the owner from here on, `_sqlx_migrations` too.
SELECT give_to_owner();
