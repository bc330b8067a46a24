//go:build !windows

package configs

// SystemFile is the machine's configuration.
const SystemFile = "/etc/statewire/statewire.yaml"
