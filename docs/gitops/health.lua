-- The health of every kind of scim-operator.dev for Argo CD.
local health = {status = "Progressing", message = "waiting for the operator"}
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "waiting until its account is dealt with"
end
if obj.status == nil or obj.status.conditions == nil then
  return health
end
local found = {}
for _, condition in ipairs(obj.status.conditions) do
  found[condition.type] = condition
end
local ready, stalled, reconciling = found.Ready, found.Stalled, found.Reconciling
local function is(status, condition)
  health.status = status
  health.message = condition.reason .. ": " .. condition.message
  return health
end
if stalled ~= nil and stalled.status == "True" then
  return is("Degraded", stalled)
end
if obj.spec.suspend == true then
  health.status = "Suspended"
  health.message = "spec.suspend: nothing is sent, removals neither"
  return health
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
if reconciling ~= nil and reconciling.status == "True" then
  return is("Progressing", reconciling)
end
if ready == nil then
  return health
end
if ready.reason == "Planned" then
  return is("Suspended", ready)
end
if ready.status == "True" then
  return is("Healthy", ready)
end
if ready.status == "False" then
  return is("Degraded", ready)
end
return health
