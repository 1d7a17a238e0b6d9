-- Run once by the image of PostgreSQL, as its superuser, when the volume is new: the two roles and
-- the database. Tables and rights on them are the migrations'.
\getenv owner_password MOORAGE_OWNER_PASSWORD
\getenv service_password MOORAGE_SERVICE_PASSWORD

CREATE ROLE moorage_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE moorage_service LOGIN PASSWORD :'service_password';
CREATE DATABASE moorage OWNER moorage_owner;
