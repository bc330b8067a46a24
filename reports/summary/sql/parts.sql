-- Where parts of so many clients begin and end, in the order of their ids, in which all tables lie.
SELECT client_id, n % {rows:UInt64} = 0
FROM
(
    SELECT client_id, row_number() OVER (ORDER BY client_id) AS n
    FROM (SELECT DISTINCT client_id FROM clients_seen)
)
WHERE n % {rows:UInt64} IN (0, 1)
ORDER BY n
