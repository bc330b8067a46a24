-- How many clients are marked, and whether any says what it holds.
SELECT (SELECT count() FROM differing_clients FINAL
    WHERE differs = 1 AND client_id NOT IN (SELECT client_id FROM retired_clients)),
    (SELECT count() FROM (SELECT 1 FROM client_caches LIMIT 1)) > 0
