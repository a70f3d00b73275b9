"""A real single-node Kubernetes cluster on this Linux machine, without Docker.

`hack/kind` is its command line. The node lives in namespaces of its own (PID, mount, network):
ending its init process ends every process, mount, link and packet filter rule of the cluster,
whatever state it was in. Standard library only, since it runs before anything is installed.
"""
