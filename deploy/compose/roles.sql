-- The roles that log in from other containers get the password of this database; run once, when it is made.
\set password `echo "$POSTGRES_PASSWORD"`
alter user authenticator with password :'password';
alter user supabase_auth_admin with password :'password';
