-- A title that others use stays, without the client that gave it.
ALTER TABLE {table:Identifier} UPDATE client_id = toUUID('00000000-0000-0000-0000-000000000000')
WHERE client_id = {client:UUID} SETTINGS mutations_sync = 1
