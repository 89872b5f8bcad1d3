{{- /* What the operator may do in the namespaces that it looks at, and nothing beyond: each verb is one that it
       uses; tests/rbac.rs compares them with what it really asks for. */}}
{{- define "scim-operator.rules" -}}
# patch: the finalizer, which keeps a connection while objects need it.
- apiGroups: [scim-operator.dev]
  resources: [scimconnections]
  verbs: [list, watch, patch]
- apiGroups: [scim-operator.dev]
  resources: [scimconnections/status]
  verbs: [patch]
# get and patch: the finalizer. create, patch and delete: what rosters generate.
- apiGroups: [scim-operator.dev]
  resources: [scimusers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [scim-operator.dev]
  resources: [scimusers/status]
  verbs: [patch]
# patch: the finalizer.
- apiGroups: [scim-operator.dev]
  resources: [scimgroups]
  verbs: [list, watch, patch]
- apiGroups: [scim-operator.dev]
  resources: [scimgroups/status]
  verbs: [patch]
- apiGroups: [scim-operator.dev]
  resources: [scimrosters]
  verbs: [list, watch]
- apiGroups: [scim-operator.dev]
  resources: [scimrosters/status]
  verbs: [patch]
# Watched by label and as metadata only; read when a connection or a roster names or selects them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# Certificate authorities, spec.tls.caBundle; and the rows of rosters, watched by label and as metadata only.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if not .Values.watchNamespaces }}
# What has no namespace: cluster connections, and the labels of namespaces, by which those are delegated.
- apiGroups: [scim-operator.dev]
  resources: [clusterscimconnections]
  verbs: [list, watch, patch]
- apiGroups: [scim-operator.dev]
  resources: [clusterscimconnections/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- end }}
