{{/* (list $ name words): the spec of a Pod that runs files/hooks.py for a hook. */}}
{{- define "cijob.hookPod" -}}
{{- $ := index . 0 -}}
restartPolicy: Never
serviceAccountName: {{ index . 1 }}
automountServiceAccountToken: true
enableServiceLinks: false
activeDeadlineSeconds: 180
{{- with $.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "cijob.podSecurity" $ | nindent 2 }}
containers:
  - name: hook
    image: {{ include "cijob.image" $ }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    command: [python, -c, {{ $.Files.Get "files/hooks.py" | toJson }}, {{ index . 2 }}]
    env:
      - name: JOB_IMAGE
        value: {{ include "cijob.fromRegistry" (list $ $.Values.jobImage) }}
      - name: PULL_SECRETS
        value: {{ $.Values.image.pullSecrets | toJson | quote }}
    resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
    securityContext: {{- include "cijob.containerSecurity" $ | nindent 6 }}
{{- end -}}
