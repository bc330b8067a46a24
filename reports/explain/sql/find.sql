-- Clients of one computer name, the ones that reported last first.
SELECT client_id, netbios_name, last_report_time
FROM clients
WHERE client_id IN
    (
        SELECT client_id FROM client_names WHERE name_lower = lower({name:String})
        UNION ALL
        SELECT client_id FROM clients_named WHERE client_id IN (SELECT client_id FROM clients_changed)
            AND lower(netbios_name) = lower({name:String})
    )
    AND lower(netbios_name) = lower({name:String})
ORDER BY last_report_time DESC, client_id
LIMIT 50
