package store

// ForCluster shows the tests what a cluster gets.
var ForCluster = forCluster
