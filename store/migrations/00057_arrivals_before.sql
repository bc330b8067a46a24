-- +goose NO TRANSACTION
-- +goose Up
-- What arrived before there were fingerprints. Rows that were not merged yet, or this
-- step made twice, cost one look at the client's serials.
INSERT INTO arrivals (client_id, first_serial, last_serial)
SELECT client_id, first_serial, last_serial
FROM serial_ranges;
