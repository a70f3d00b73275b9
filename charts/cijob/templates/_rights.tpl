{{/*
(list $ component): grants the rules of "cijob.<component>.rules" to that component's
ServiceAccount: in each namespace that is looked after, or in the whole cluster. Cluster-wide names
carry the namespace, so that two releases do not meet.
*/}}
{{- define "cijob.grant" -}}
{{- $ := index . 0 -}}
{{- $name := printf "%s-%s" $.Release.Name (index . 1) -}}
{{- $rules := printf "cijob.%s.rules" (index . 1) -}}
{{- range $namespace := include "cijob.namespaces" $ | fromJsonArray }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
rules: {{- include $rules $ | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ $.Release.Namespace }}}
{{- else }}
{{- include "cijob.grantEverywhere" (list $ $name $name (include $rules $)) }}
{{- end }}
{{- end -}}

{{/* (list $ role account rules): grants the rules in the whole cluster. */}}
{{- define "cijob.grantEverywhere" }}
{{- $ := index . 0 -}}
{{- $role := printf "%s-%s" $.Release.Namespace (index . 1) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $role }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
rules: {{- index . 3 | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $role }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $role }}}
subjects:
  - {kind: ServiceAccount, name: {{ index . 2 }}, namespace: {{ $.Release.Namespace }}}
{{- end -}}

{{/* (list $ component): that component may lead, by the Lease of its name. */}}
{{- define "cijob.grantLease" }}
{{- $ := index . 0 -}}
{{- $component := index . 1 -}}
{{- $account := printf "%s-%s" $.Release.Name $component }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $account }}-lease
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [cijob-{{ $component }}]
    verbs: [get, update]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $account }}-lease
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "cijob.labels" $ | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $account }}-lease}
subjects:
  - {kind: ServiceAccount, name: {{ $account }}, namespace: {{ $.Release.Namespace }}}
{{- end -}}
