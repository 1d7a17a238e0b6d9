"""moorage-controller: keeps a Moorage server in step with a Kubernetes cluster.

program     options, signals, exit codes
terms       who acts: leads, or waits to lead; what is done in one term
lease       leading, by a Lease of the cluster
rounds      one look at everything: nodes, then addresses, then nodes that are gone
strays      what no controller collects, to be told of
labels      nodes of the cluster, as the server has them
liveness    which addresses the pods of the cluster still have
feed        the nodes of the cluster, as they change
nodes, pods what is read of them

Requests to the Kubernetes API are `moorage.kube`.
"""
