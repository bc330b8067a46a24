-- Names of the same clients that are not listed yet. A crash before leaves the watermark, and so this to be done.
INSERT INTO client_names (name_lower, client_id)
WITH named AS
(
    SELECT name_lower, client_id
    FROM client_now FINAL
    WHERE name_lower != '' AND client_id IN (SELECT client_id FROM clients_changed
        WHERE sipHash64(client_id) % {slices:UInt64} = {slice:UInt64})
)
SELECT name_lower, client_id
FROM named
WHERE (name_lower, client_id) NOT IN (SELECT name_lower, client_id FROM client_names
    WHERE name_lower IN (SELECT name_lower FROM named))
