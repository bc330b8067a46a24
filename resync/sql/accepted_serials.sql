-- The serial that a person accepted last for each of these clients.
SELECT client_id, last_serial
FROM accepted_serials FINAL
WHERE client_id IN ({clients:Array(UUID)})
