-- The open conflicts of these clients.
SELECT client_id, serial, kind FROM open_conflicts WHERE client_id IN ({clients:Array(UUID)})
