-- Clients that had a computer name and have another one now: by the reports that are stored, and by the names that the
-- summary kept.
SELECT h.client_id AS client_id, max(h.received_time) AS last_report, any(c.netbios_name) AS now
FROM
(
    SELECT client_id, received_time FROM client_reports WHERE lower(netbios_name) = lower({name:String})
    UNION ALL
    SELECT client_id, toDateTime64(0, 6, 'UTC') FROM client_names WHERE name_lower = lower({name:String})
) AS h
INNER JOIN
(
    SELECT client_id, netbios_name FROM clients
    WHERE client_id IN
    (
        SELECT client_id FROM client_reports WHERE lower(netbios_name) = lower({name:String})
        UNION ALL
        SELECT client_id FROM client_names WHERE name_lower = lower({name:String})
    )
) AS c ON c.client_id = h.client_id
WHERE lower(c.netbios_name) != lower({name:String})
GROUP BY h.client_id
ORDER BY last_report DESC, client_id
LIMIT 5
