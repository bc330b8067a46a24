-- How many clients sent a message in the last 24 hours whose time can't be right.
SELECT count()
FROM
(
    SELECT client_id
    FROM wrong_clocks
    WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
    GROUP BY client_id
    HAVING max(last_received) > now64(6, 'UTC') - INTERVAL 24 HOUR
)
