-- Run once by the image of PostgreSQL, as its superuser, when the volume is new: the three
-- roles and the database. Tables and rights on them are the migrations'.
\getenv owner_password MOORAGE_OWNER_PASSWORD
\getenv service_password MOORAGE_SERVICE_PASSWORD
\getenv reader_password MOORAGE_READER_PASSWORD

CREATE ROLE moorage_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE moorage_service LOGIN PASSWORD :'service_password';
CREATE ROLE moorage_reader LOGIN PASSWORD :'reader_password';
CREATE DATABASE moorage OWNER moorage_owner;
