-- The clients that an answer is about: those of the site, or of the collection that is named.
    scope AS
    (
        SELECT client_id
        FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
    ),
