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
# get and patch: the finalizer.
- apiGroups: [scim-operator.dev]
  resources: [scimusers]
  verbs: [get, list, watch, patch]
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
# Watched by label and as metadata only; read one by one when a connection names them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# Certificate authorities, spec.tls.caBundle.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
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
