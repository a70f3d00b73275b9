{{/* Names, labels and settings that several templates share. */}}

{{- define "cijob.image" -}}
{{- include "cijob.fromRegistry" (list . (printf "%s:%s" .Values.image.repository .Values.image.tag)) -}}
{{- end -}}

{{/* (list $ image): the image, behind the registry of all images if there is one. */}}
{{- define "cijob.fromRegistry" -}}
{{- $registry := (index . 0).Values.image.registry | trimSuffix "/" -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ index . 1 }}
{{- end -}}

{{- define "cijob.labels" -}}
app.kubernetes.io/name: cijob
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* (list $ component): what selects its Pods; never changes, since selectors cannot. */}}
{{- define "cijob.selector" -}}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "cijob.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "cijob.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The namespaces that are looked after, the system's among them; empty: the whole cluster. */}}
{{- define "cijob.namespaces" -}}
{{- if .Values.operator.namespaces -}}
{{- append .Values.operator.namespaces .Release.Namespace | uniq | sortAlpha | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* jobNamespaces as a list of {name, users}, whichever way they were written. */}}
{{- define "cijob.teams" -}}
{{- $found := list -}}
{{- range .Values.jobNamespaces -}}
{{- $found = append $found (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* Where the Build Job API's jobs are: the namespace named for them, else the first team's that is
looked after. */}}
{{- define "cijob.buildNamespace" -}}
{{- $namespace := .Values.buildJobs.namespace -}}
{{- $served := include "cijob.namespaces" . | fromJsonArray -}}
{{- range include "cijob.teams" . | fromJsonArray -}}
{{- if or (not $served) (has .name $served) -}}
{{- $namespace = $namespace | default .name -}}
{{- end -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{/* The teams as a list of {name, users}, that of the builds among them with its own users. */}}
{{- define "cijob.jobNamespaces" -}}
{{- $missing := include "cijob.buildNamespace" . -}}
{{- $users := .Values.buildJobs.users -}}
{{- $found := list -}}
{{- range include "cijob.teams" . | fromJsonArray -}}
{{- if eq .name $missing -}}
{{- $missing = "" -}}
{{- $found = append $found (dict "name" .name "users" (concat (.users | default list) $users)) -}}
{{- else -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- if $missing -}}
{{- $found = append $found (dict "name" $missing "users" $users) -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{- define "cijob.scheme" -}}
{{- if .Values.gateway.tls.existingSecret }}https{{ else }}http{{ end -}}
{{- end -}}

{{/* Where agents find the gateway. */}}
{{- define "cijob.gatewayURL" -}}
{{ include "cijob.scheme" . }}://{{ .Release.Name }}-gateway.{{ .Release.Namespace }}.svc:8081
{{- end -}}

{{/* The Secret with the keys of the S3 server, ours or another. */}}
{{- define "cijob.s3Secret" -}}
{{- .Values.s3.existingSecret | default (printf "%s-minio" .Release.Name) -}}
{{- end -}}

{{/* How gateway and archiver find it. */}}
{{- define "cijob.s3Environment" -}}
- name: CIJOB_S3_ENDPOINT
  value: {{ .Values.s3.endpoint | default (printf "http://%s-minio.%s.svc:9000" .Release.Name .Release.Namespace) | quote }}
- name: CIJOB_S3_BUCKET
  value: {{ .Values.s3.bucket | quote }}
- name: CIJOB_S3_REGION
  value: {{ .Values.s3.region | quote }}
- name: CIJOB_S3_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "cijob.s3Secret" . }}, key: accessKey}}
- name: CIJOB_S3_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ include "cijob.s3Secret" . }}, key: secretKey}}
{{- end -}}
