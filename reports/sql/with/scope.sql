-- The clients that an answer is about: those of the site, or of the collection that is named, that had reported by then. Needs stated before it.
    scope AS
    (
        SELECT client_id
        FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM gone)
        -- if as_of:
          AND toUnixTimestamp64Micro(first_report_time) <= {moment_us:Int64}
        -- end:
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
    ),
