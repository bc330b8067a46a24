-- Removes the rows of a client from a table.
ALTER TABLE {table:Identifier} DELETE WHERE client_id = {client:UUID} SETTINGS mutations_sync = 1
