-- The runs of a client's serials, the greatest first. Those loaded after a time are left out: of the others all is
-- stored that ever will be.
SELECT first_serial, last_serial
FROM serial_ranges
WHERE client_id = {client:UUID} AND serial_ranges.loaded_time < {settled:DateTime64(3, 'UTC')}
ORDER BY last_serial DESC
