#!/bin/sh
# Runs once, in a new PostgreSQL container: the servers' role, which may do nothing outside its
# own database.
set -eu
# The password by a variable, so that it stands in no list of processes.
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\getenv password DATABASE_PASSWORD
CREATE ROLE chat LOGIN PASSWORD :'password';
CREATE DATABASE chat OWNER chat;
REVOKE CONNECT ON DATABASE chat FROM PUBLIC;
SQL
