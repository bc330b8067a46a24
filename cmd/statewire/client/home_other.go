//go:build !windows && !darwin

package client

// agentHome is where the service, set up as docs/agent.md says, keeps a machine's agent.
const agentHome = "/var/lib/statewire-agent"
