-- +goose NO TRANSACTION
-- +goose Up
-- Why the client came over HTTP, in its own words; empty when it did not, or did not say.
ALTER TABLE client_presence ADD COLUMN IF NOT EXISTS why String;
