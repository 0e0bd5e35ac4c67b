// A plugin of Swagger UI. By itself, it fills every field of a form with a value and sends it, and after a change of the
// body's type it keeps the fields of the form as the text of a JSON body, which it then refuses to send.
const emptyForms = () => ({
  // The service takes an empty field as one that is left out, so there is nothing to choose.
  components: { ParameterIncludeEmpty: () => null },
  afterLoad(system) {
    const { getSampleSchema } = system.fn;
    const isField = (schema, type) => type === false && schema.get("type") !== "array";
    system.fn.getSampleSchema = (schema, type, ...others) => (isField(schema, type) ? "" : getSampleSchema(schema, type, ...others));
  },
  statePlugins: {
    oas3: {
      wrapActions: {
        setRequestContentType: (set, system) => (chosen) => {
          set(chosen);
          system.oas3Actions.setRequestBodyValue({ value: undefined, pathMethod: chosen.pathMethod });
        },
      },
    },
  },
});
