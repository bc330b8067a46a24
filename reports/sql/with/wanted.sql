-- wanted_ids are the clients that the parameter client names by id or computer name. Clients are looked through for a name only.
    wanted AS
    (
        SELECT client_id FROM clients
        WHERE {client:String} != '' AND toUUIDOrZero({client:String}) = toUUIDOrZero('')
          AND client_id IN
          (
              SELECT client_id FROM client_names WHERE name_lower = lower({client:String})
              UNION ALL
              SELECT client_id FROM clients_named WHERE client_id IN (SELECT client_id FROM clients_changed)
                  AND lower(netbios_name) = lower({client:String})
          )
          AND lower(netbios_name) = lower({client:String})
        UNION ALL
        SELECT toUUIDOrZero({client:String}) AS client_id
    ),
    (SELECT groupArray(client_id) FROM wanted) AS wanted_ids,
