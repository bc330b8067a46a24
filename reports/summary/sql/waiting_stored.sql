-- Clients that wait, as was seen last. One that is retired or was erased may be among them.
SELECT client_id FROM clients_waiting FINAL WHERE waiting = 1
