-- The newest revision of a collection or its policy, deleted ones included.
SELECT greatest(
    (SELECT max(revision) FROM collections WHERE name = {name:String}),
    (SELECT max(revision) FROM policies WHERE collection = {name:String}))
