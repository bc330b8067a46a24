-- All serials of every client.
INSERT INTO {table:Identifier} (client_id, first_serial, last_serial)
SELECT reinterpret(sipHash128(number), 'UUID'), 1, 100 FROM numbers({from:UInt64}, {clients:UInt64})
