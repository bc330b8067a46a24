-- +goose NO TRANSACTION
-- +goose Up
-- A store with messages has their history to be made: number 1 says so, 2 that it is.
INSERT INTO summary_progress (job, number, until)
SELECT 'history', 1, toDateTime64(0, 3, 'UTC') FROM (SELECT count() AS messages FROM state_messages) WHERE messages > 0;
