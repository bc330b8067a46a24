-- Clients that no stored report names so, while one that the relay refused did.
SELECT client_id, max(refused_reports.refused_time) AS refused_time,
    argMax(refused_reports.code, refused_reports.refused_time) AS code
FROM refused_reports FINAL
WHERE lower(netbios_name) = lower({name:String})
GROUP BY client_id
ORDER BY refused_time DESC, client_id
LIMIT 5
