-- When these clients last completed a resync or were given a baseline.
SELECT client_id, settled_time FROM client_floors WHERE client_id IN ({clients:Array(UUID)})
