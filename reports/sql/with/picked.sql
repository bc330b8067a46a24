-- The clients of a page, among details.
    {page_client_id:Array(UUID)} AS page_ids,
