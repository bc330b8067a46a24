-- +goose NO TRANSACTION
-- +goose Up
-- Reports are ordered by arrival; the index finds those of one client, so that a
-- message can be traced to the reports that may have brought it again.
ALTER TABLE client_reports ADD INDEX IF NOT EXISTS clients client_id TYPE bloom_filter(0.01) GRANULARITY 1;
