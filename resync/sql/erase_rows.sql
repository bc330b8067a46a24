-- How many rows of a client a table has.
SELECT count() FROM {table:Identifier} WHERE client_id = {client:UUID}
