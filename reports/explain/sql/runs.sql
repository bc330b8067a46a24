-- Maximal runs of the serials of one client that arrived, in order.
SELECT min(first_serial) AS first, max(last_serial) AS last
FROM
(
    SELECT first_serial, last_serial, sum(begins) OVER (ORDER BY first_serial, last_serial
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n
    FROM
    (
        SELECT
            first_serial,
            last_serial,
            first_serial > 1 + max(last_serial) OVER (ORDER BY first_serial, last_serial
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS begins
        FROM (SELECT DISTINCT first_serial, last_serial FROM serial_ranges WHERE client_id = {client:UUID})
    )
)
GROUP BY n
ORDER BY first
LIMIT {most:UInt64}
