-- +goose NO TRANSACTION
-- +goose Up
-- Param names the pack and what the task was given. Signature is empty: each client's request has one of its own.
CREATE VIEW IF NOT EXISTS BGB_Task AS
SELECT task_id AS TaskID, task_type AS TemplateID, created_time AS CreateTime, '' AS Signature, task_guid AS GUID,
    base64Encode(concat('<TaskParam Pack="', encodeXMLComponent(pack), '" PackVersion="', encodeXMLComponent(pack_version),
        '" Task="', encodeXMLComponent(name), '">',
        arrayStringConcat(arrayMap((n, v) -> concat('<Parameter Name="', encodeXMLComponent(n), '">', encodeXMLComponent(v),
            '</Parameter>'), param_names, param_values)), '</TaskParam>')) AS Param
FROM tasks FINAL;
